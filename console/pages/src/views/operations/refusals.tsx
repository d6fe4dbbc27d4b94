import type { Operations } from "../../api/types";
import { count } from "../../words";
import { rate, spoken } from "./words";

/** What gateways did not take, by code. */
export function Refusals({ looked }: { looked: Operations }) {
  return (
    <section className="card panel" aria-labelledby="refusals">
      <h2 id="refusals">Rejected by the gateways</h2>
      {looked.rejected.length ? <RefusalTable looked={looked} /> : <p className="quiet">{nothing(looked)}</p>}
    </section>
  );
}

function RefusalTable({ looked }: { looked: Operations }) {
  return (
    <>
      <table>
        <thead>
          <tr>
            <th scope="col">Code</th>
            <th scope="col" className="number">
              Events
            </th>
            <th scope="col" className="number">
              per second
            </th>
          </tr>
        </thead>
        <tbody>
          {looked.rejected.map((each) => (
            <tr key={each.code}>
              <th scope="row">{spoken(each.code)}</th>
              <td className="number">{count(each.events)}</td>
              <td className="number">{rate(each.per_s)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p className="fine-print">
        Counted since each gateway started. The sender was told of each: these events were never accepted.
      </p>
    </>
  );
}

function nothing({ gateways }: Operations): string {
  return gateways.length
    ? "Not known: no gateway was reached yet."
    : "Not known: the console was given no gateway (ATTEMPTLOG_CONSOLE_GATEWAYS).";
}
