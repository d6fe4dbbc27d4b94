import { Figure } from "../../figures/figure";
import { type Column, namesOf, type Run, runsOf } from "./runs";

interface CellsProps<Row> {
  row: Row;
  columns: readonly Column<Row>[];
}

/** The cells of a table's row. `data-name` is for cards, which have no head. */
export function Cells<Row>({ row, columns }: CellsProps<Row>) {
  return runsOf(row, columns).map((run) => {
    const [first] = run.columns;
    return (
      <td key={first.name} data-name={namesOf(run)} colSpan={run.columns.length} className={classOf(run)}>
        {run.reason === undefined ? (
          first.cell(row)
        ) : (
          <Figure value={null} reason={run.reason}>
            {String}
          </Figure>
        )}
      </td>
    );
  });
}

function classOf<Row>({ columns: [first, ...others] }: Run<Row>): string | undefined {
  if (others.length > 0) return "several";
  return first.isNumber ? "number" : undefined;
}

export function Heads<Row>({ columns }: Pick<CellsProps<Row>, "columns">) {
  return columns.map(({ name, isNumber }) => (
    <th key={name} scope="col" className={isNumber ? "number" : undefined}>
      {name}
    </th>
  ));
}
