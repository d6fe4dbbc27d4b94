import type { ReactNode } from "react";

export function Notice({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <main className="start">
      <div className="card start-card" role="status">
        <h1>{title}</h1>
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
