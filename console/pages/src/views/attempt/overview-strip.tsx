import type { Attempt } from "../../api/types";
import { duration } from "../../words";
import { plural } from "./event-words";
import type { Strip } from "./strip";

const LEAST_FOR_TEXT = 3.5; // per cent: the room for two digits on a phone
const ROWS = { questions: 2, page: 34, service: 66, axis: 90 };
const HEIGHT = 108;

/** The attempt at a glance. The tables above and the timeline below have all of it in words. */
export function OverviewStrip({ strip, attempt }: { strip: Strip; attempt: Attempt }) {
  return (
    <section className="card panel strip-panel" aria-labelledby="overview">
      <h2 id="overview">At a glance</h2>
      <div className="strip">
        <div className="strip-names" aria-hidden="true">
          <span>Question</span>
          <span>Page</span>
          <span>Service</span>
        </div>
        <svg width="100%" height={HEIGHT} role="img" aria-label={describe(strip, attempt)}>
          <Questions strip={strip} />
          <Lanes strip={strip} />
          <Axis strip={strip} />
        </svg>
      </div>
      <ul className="strip-key">
        <Key className="strip-page" text="an event of the page" />
        <Key className="strip-service" text="an event of the service" />
        {strip.absences.length > 0 && <Key className="strip-absence" text="the page had not the focus" isWide />}
        {strip.absences.some((each) => !each.isMeasured) && (
          <Key className="strip-absence strip-unmeasured" text="the same, for how long is not known" isWide />
        )}
        {strip.faults.length > 0 && <Key className="strip-fault" text="missing, refused or given up" />}
      </ul>
    </section>
  );
}

function describe(strip: Strip, { lines, absences, summary }: Attempt): string {
  const faults = lines.filter((line) => line.kind !== "event").length;
  const visits = plural(strip.questions.length, "stretch").replace("stretchs", "stretches");
  return (
    `${duration(strip.lengthMs)} with ${plural(summary.events, "event")} in ${visits} with a question, ` +
    `${plural(absences.length, "absence")} of the focus, ` +
    `${plural(faults, "place")} where something is missing, refused or given up. All of it is in the timeline below.`
  );
}

function Questions({ strip }: { strip: Strip }) {
  return strip.questions.map(({ from, to, text }) => (
    <g key={from}>
      <rect className="strip-question" x={`${from}%`} y={ROWS.questions} width={`${to - from}%`} height={22} />
      {to - from >= LEAST_FOR_TEXT && (
        <text x={`${(from + to) / 2}%`} y={ROWS.questions + 15} textAnchor="middle">
          {text}
        </text>
      )}
    </g>
  ));
}

function Lanes({ strip }: { strip: Strip }) {
  return (
    <>
      <rect className="strip-lane" x="0" y={ROWS.page} width="100%" height={24} />
      <rect className="strip-lane" x="0" y={ROWS.service} width="100%" height={16} />
      {strip.absences.map(({ from, to, isMeasured }) => (
        <rect
          key={`${from} ${to}`}
          className={isMeasured ? "strip-absence" : "strip-absence strip-unmeasured"}
          x={`${from}%`}
          y={ROWS.page}
          height={24}
          style={{ width: `max(3px, ${to - from}%)` }}
        />
      ))}
      {strip.page.map((at) => (
        <line key={at} className="strip-page" x1={`${at}%`} x2={`${at}%`} y1={ROWS.page + 6} y2={ROWS.page + 24} />
      ))}
      {strip.service.map((at) => (
        <line
          key={at}
          className="strip-service"
          x1={`${at}%`}
          x2={`${at}%`}
          y1={ROWS.service + 2}
          y2={ROWS.service + 14}
        />
      ))}
      {strip.faults.map((at) => (
        <svg key={at} x={`${at}%`} y={ROWS.page} overflow="visible" aria-hidden="true">
          <path className="strip-fault" d="M0 -4 L5 3 L0 10 L-5 3 Z" />
        </svg>
      ))}
    </>
  );
}

function Axis({ strip }: { strip: Strip }) {
  return strip.ticks.map(({ at, text }, index) => (
    <g key={at} className={index % 2 === 1 ? "strip-odd" : undefined}>
      <line className="strip-tick" x1={`${at}%`} x2={`${at}%`} y1={ROWS.service + 16} y2={ROWS.axis} />
      <text
        className="strip-axis"
        x={`${at}%`}
        y={ROWS.axis + 13}
        textAnchor={at < 3 ? "start" : at > 95 ? "end" : "middle"}
      >
        {text}
      </text>
    </g>
  ));
}

function Key({ className, text, isWide = false }: { className: string; text: string; isWide?: boolean }) {
  return (
    <li>
      <svg width={isWide ? 22 : 12} height="16" aria-hidden="true">
        {isWide && <rect className={className} x="1" y="1" width="20" height="14" />}
        {!isWide && className === "strip-fault" && <path className="strip-fault" d="M6 1 L11 8 L6 15 L1 8 Z" />}
        {!isWide && className !== "strip-fault" && <line className={className} x1="6" x2="6" y1="1" y2="15" />}
      </svg>
      {text}
    </li>
  );
}
