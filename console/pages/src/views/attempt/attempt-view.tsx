import { useMemo } from "react";
import type { Attempt, Me } from "../../api/types";
import { AbsencesTable } from "./absences-table";
import { AttemptFigures } from "./attempt-figures";
import { type Clock, createClock } from "./clock";
import { groupByVisit } from "./groups";
import { AttemptHead } from "./head";
import { Legend } from "./legend";
import { annotate } from "./notes";
import { OnThisPage } from "./on-this-page";
import { OverviewStrip } from "./overview-strip";
import { usePrintHeader } from "./print-header";
import { nameQuestions } from "./questions";
import { QuestionsTable } from "./questions-table";
import { stripOf } from "./strip";
import { Timeline } from "./timeline";
import { VerdictPanel } from "./verdict-panel";

interface AttemptViewProps {
  attempt: Attempt;
  me: Me;
  isOwn: boolean;
  why: string;
  again: () => void;
}

export function AttemptView({ attempt, me, isOwn, why, again }: AttemptViewProps) {
  const clock = useMemo(() => createClock(attempt.summary.began_at), [attempt]);
  usePrintHeader(attempt, clock);
  return (
    <>
      <AttemptHead attempt={attempt} clock={clock} me={me} isOwn={isOwn} why={why} again={again} />
      <VerdictPanel attempt={attempt} isOwn={isOwn} />
      {attempt.lines.length > 0 ? (
        <WhatHappened attempt={attempt} clock={clock} isOwn={isOwn} />
      ) : (
        <p className="card panel">No event of this attempt is stored.</p>
      )}
    </>
  );
}

function WhatHappened({ attempt, clock, isOwn }: { attempt: Attempt; clock: Clock; isOwn: boolean }) {
  const names = useMemo(() => nameQuestions(attempt.questions, attempt.lines), [attempt]);
  const groups = useMemo(() => groupByVisit(annotate(attempt.lines)), [attempt]);
  const strip = useMemo(() => stripOf(attempt, groups, names), [attempt, groups, names]);
  return (
    <>
      <OnThisPage without={attempt.questions.length > 0 ? [] : ["questions"]} />
      {strip && <OverviewStrip strip={strip} attempt={attempt} />}
      <AttemptFigures summary={attempt.summary} />
      <QuestionsTable questions={attempt.questions} names={names} />
      <AbsencesTable absences={attempt.absences} isComplete={attempt.verdict.is_complete} clock={clock} isOwn={isOwn} />
      <Timeline attempt={attempt} groups={groups} names={names} clock={clock} isOwn={isOwn} />
      <Legend isOwn={isOwn} />
    </>
  );
}
