import { useEffect, useState } from "react";
import type { Person } from "../api";
import { useApi } from "../api-context";
import { slot } from "../remembered";
import { untilAnswered } from "../retry";
import { BrandMark } from "./brand-mark";
import { StaffLinks } from "./console-links";
import { ExamList } from "./exam-list";
import { NameForm } from "./name-form";

// Remembers that there was a login, so that a first visit need not ask the service and be refused.
const knownName = slot("localStorage", "name");

type Visitor = Person | "unknown" | "asking";

export function StartPage() {
  const { visitor, welcome, forget } = useVisitor();
  return (
    <main className="start">
      <div className="brand">
        <BrandMark />
        Exam platform
      </div>
      {visitor === "asking" && <p role="status">One moment…</p>}
      {visitor === "unknown" && <NameForm onLogin={welcome} />}
      {typeof visitor === "object" && <ExamList person={visitor} onLeave={forget} />}
      <StaffLinks />
    </main>
  );
}

function useVisitor() {
  const api = useApi();
  const [visitor, setVisitor] = useState<Visitor>(() => (knownName.read() === null ? "unknown" : "asking"));

  useEffect(() => {
    if (visitor !== "asking") return;
    const stop = new AbortController();
    void untilAnswered(api.me, stop.signal).then((me) => me && setVisitor(me.ok ? me.value : "unknown"));
    return () => stop.abort();
  }, [api, visitor]);

  return {
    visitor,
    welcome(person: Person) {
      knownName.write(person.name);
      setVisitor(person);
    },
    forget() {
      knownName.write(null);
      setVisitor("unknown");
    },
  };
}
