import { type ReactNode, useEffect, useRef } from "react";

interface HeadingProps {
  /** The page's title in the browser. */
  title: string;
  /** Another page has another key: the focus moves here, so that a keyboard and a screen reader are at its beginning. */
  pageKey: string;
  describedBy?: string;
  children: ReactNode;
}

export function Heading({ title, pageKey, describedBy, children }: HeadingProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key stands for the page
  useEffect(() => heading.current?.focus(), [pageKey]);
  useEffect(() => {
    document.title = title;
  }, [title]);
  return (
    <h2 ref={heading} tabIndex={-1} aria-describedby={describedBy}>
      {children}
    </h2>
  );
}
