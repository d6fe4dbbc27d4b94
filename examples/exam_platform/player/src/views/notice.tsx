import type { ReactNode } from "react";
import { Heading } from "./heading";

export function Notice({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <main className="start">
      <div className="card start-card">
        <Heading pageKey={title} title={`${title} – Exam platform`}>
          {title}
        </Heading>
        {children && <p className="quiet">{children}</p>}
        {children && (
          <p>
            <a href="#/">To the start page</a>
          </p>
        )}
      </div>
    </main>
  );
}
