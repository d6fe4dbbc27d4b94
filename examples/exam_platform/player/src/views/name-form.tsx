import { type FormEvent, useState } from "react";
import type { Person } from "../api";
import { useApi } from "../api-context";
import { Heading } from "./heading";
import { Problem, problemText } from "./problem";

const MAX_NAME_LENGTH = 80; // the service takes no longer one

export function NameForm({ onLogin }: { onLogin: (person: Person) => void }) {
  const api = useApi();
  const [problem, setProblem] = useState("");
  const [isBusy, setBusy] = useState(false);

  async function login(event: FormEvent<HTMLFormElement>): Promise<void> {
    event.preventDefault();
    const name = String(new FormData(event.currentTarget).get("name")).trim();
    setBusy(true);
    const result = await api.login(name);
    setBusy(false);
    if (result.ok) onLogin(result.value);
    else setProblem(problemText(result));
  }

  return (
    <form className="card start-card" onSubmit={login}>
      <Heading pageKey="welcome" title="Exam platform">
        Welcome
      </Heading>
      <p className="quiet">Take a short exam, and watch every step of it arrive in the database.</p>
      <label className="field">
        <span>Your name</span>
        <input name="name" autoComplete="name" required pattern=".*\S.*" maxLength={MAX_NAME_LENGTH} />
      </label>
      <Problem text={problem} />
      <button className="primary" type="submit" disabled={isBusy}>
        Start
      </button>
      <p className="fine-print">
        You take part as a guest. Your name stays in the exam platform; events never hold it.
      </p>
    </form>
  );
}
