import { useCallback, useMemo } from "react";
import { Chart, type Draw } from "../../figures/chart";
import { count, duration, sessionsText } from "../../words";
import type { Behind } from "./behind";
import { type Bin, histogram, medianOf } from "./histogram";
import { Linked, Panel } from "./panel";
import { Scrolled } from "./question-table";
import { ticksBetween, tickText } from "./time-axis";

const MOST_TIMES = 5_000; // that the API hands out

interface SessionTimesProps {
  times: number[];
  sessions: number;
  behind: Behind;
}

export function SessionTimes({ times, sessions, behind }: SessionTimesProps) {
  const bins = useMemo(() => histogram(times), [times]);
  const draw = useCallback<Draw>((plot, width) => drawBins(plot, width, bins, behind), [bins, behind]);
  const median = medianOf(times);
  if (median === null) {
    return (
      <Panel
        title="Time of a session"
        meaning="time"
        table={
          <p className="unknown">Unknown: no session has both a first view and an end without a gap before them.</p>
        }
      />
    );
  }
  return (
    <Panel
      title="Time of a session"
      meaning="time"
      chart={
        <>
          <p className="lead">
            Median <Linked to={behind({ behind: "time" })}>{duration(median)}</Linked>, known of {count(times.length)}{" "}
            of {sessionsText(sessions)}
            {times.length >= MOST_TIMES && " (no more are read)"}
          </p>
          <Chart label="Histogram of the times of sessions" height={260} draw={draw} />
        </>
      }
      table={<BinTable bins={bins} behind={behind} />}
    />
  );
}

function BinTable({ bins, behind }: { bins: Bin[]; behind: Behind }) {
  return (
    <Scrolled label="Times of sessions">
      <table>
        <caption className="visually-hidden">Times of sessions</caption>
        <thead>
          <tr>
            <th scope="col">Time</th>
            <th scope="col" className="number">
              Sessions
            </th>
          </tr>
        </thead>
        <tbody>
          {bins.map((bin) => (
            <tr key={bin.from}>
              <th scope="row">{binText(bin)}</th>
              <td className="number">
                <Linked to={hrefOf(bin, behind)} zero={bin.sessions === 0}>
                  {count(bin.sessions)}
                </Linked>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scrolled>
  );
}

const binText = ({ from, to }: Bin) => `${tickText(from)} to ${tickText(to)}`;
const hrefOf = (bin: Bin, behind: Behind) => behind({ behind: "time", at_least_ms: bin.from, below_ms: bin.to });

function drawBins(plot: Parameters<Draw>[0], width: number, bins: Bin[], behind: Behind): ReturnType<Draw> {
  const [first, last] = [bins[0]?.from ?? 0, bins.at(-1)?.to ?? 0];
  return {
    marginLeft: 36,
    marginRight: 32,
    x: { domain: [first, last], label: null, ticks: ticksBetween(first, last, width / 90), tickFormat: tickText },
    y: { grid: true, label: "sessions", ticks: Math.min(4, Math.max(...bins.map((bin) => bin.sessions))) },
    marks: [
      plot.rectY(bins, {
        x1: "from",
        x2: "to",
        y: "sessions",
        fill: "var(--series-1)",
        title: (bin: Bin) => `${binText(bin)}: ${sessionsText(bin.sessions)}`,
        href: (bin: Bin) => hrefOf(bin, behind),
      }),
      plot.ruleY([0]),
    ],
  };
}
