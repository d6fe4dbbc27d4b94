import { type RefObject, useEffect, useRef, useState } from "react";
import { go } from "../route";
import "./chart.css";

type Plot = typeof import("./plot");
type PlotOptions = NonNullable<Parameters<Plot["plot"]>[0]>;

/** Says what is drawn at this width, in CSS pixels. */
export type Draw = (plot: Plot, width: number) => PlotOptions;

interface ChartProps {
  /** What the chart shows, for those who do not see it; its numbers have to stand beside it as a table or text. */
  label: string;
  /** Pixels that are kept free until it is drawn. */
  height: number;
  /** Another function draws anew: keep it with useCallback. `href` of a mark is followed on a click. */
  draw: Draw;
}

/** A chart by Observable Plot, which is fetched when the first one is shown. */
export function Chart({ label, height, draw }: ChartProps) {
  const frame = useRef<HTMLDivElement>(null);
  const width = useWidth(frame);
  const plot = usePlot();
  useEffect(() => {
    if (!plot || plot === "failed" || !width) return;
    const options = draw(plot, width);
    frame.current?.replaceChildren(picture(plot.plot({ width, height, className: "plot", ...options }), label));
  }, [plot, width, height, draw, label]);
  if (plot === "failed") {
    return <p className="quiet">The chart cannot be loaded; its numbers are in the table.</p>;
  }
  return <div className="chart" ref={frame} style={plot && width ? undefined : { minHeight: height }} />;
}

function usePlot(): Plot | "failed" | undefined {
  const [plot, setPlot] = useState<Plot | "failed">();
  useEffect(() => {
    let isWanted = true;
    import("./plot").then(
      (it) => isWanted && setPlot(it),
      () => isWanted && setPlot("failed"),
    );
    return () => {
      isWanted = false;
    };
  }, []);
  return plot;
}

function useWidth(of: RefObject<HTMLElement | null>): number {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const element = of.current;
    if (!element) return;
    const measure = () => setWidth(Math.floor(element.clientWidth));
    const observer = new ResizeObserver(measure);
    measure();
    observer.observe(element);
    return () => observer.disconnect();
  }, [of]);
  return width;
}

/** One image for a screen reader, without what the Content-Security-Policy refuses: chart.css has Plot's own rules. */
function picture(drawn: Element, label: string): Element {
  for (const style of drawn.querySelectorAll("style")) style.remove();
  for (const part of drawn.querySelectorAll("[aria-label]")) part.removeAttribute("aria-label"); // "bar", "tip"
  for (const link of drawn.querySelectorAll("a")) link.replaceWith(clickable(link));
  drawn.setAttribute("role", "img");
  drawn.setAttribute("aria-label", label);
  return drawn;
}

/** An image holds nothing that a keyboard reaches, so its links are for the pointer; the table beside it has them all. */
function clickable(link: Element): Element {
  const group = document.createElementNS("http://www.w3.org/2000/svg", "g");
  const href = link.getAttributeNS("http://www.w3.org/1999/xlink", "href") ?? link.getAttribute("href") ?? "";
  group.append(...link.childNodes);
  group.setAttribute("class", "pick");
  group.addEventListener("click", () => go(href));
  return group;
}
