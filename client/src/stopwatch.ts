/** What a clock that is corrected a little all the time and one that is not may differ by. */
const TOLERANCE_MS = 1000;

/**
 * Starts now; the function returned says how many milliseconds have passed, or undefined when nobody can say.
 * `performance.now` may stand still while the machine sleeps, `Date.now` jumps when the clock is set: where they
 * disagree, either may be wrong.
 */
export function stopwatch(): () => number | undefined {
  const steady = performance.now();
  const wall = Date.now();
  return () => {
    const passed = performance.now() - steady;
    return Math.abs(Date.now() - wall - passed) > TOLERANCE_MS ? undefined : Math.round(passed);
  };
}
