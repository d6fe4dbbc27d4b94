/** The parts of Observable Plot that charts here use: what is not named is left out of the bundle. */
export {
  axisX,
  axisY,
  barY,
  cell,
  dot,
  gridX,
  gridY,
  plot,
  rectY,
  ruleX,
  ruleY,
  text,
  tickY,
} from "@observablehq/plot";
