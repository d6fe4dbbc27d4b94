import { type ReactNode, useEffect, useRef } from "react";

interface HeadingProps {
  /** 1 by default; 2 below the room's own heading. */
  level?: 1 | 2;
  /** The page's title in the browser. */
  title: string;
  /** Another page has another key: the focus moves here, so that a keyboard and a screen reader are at its beginning. */
  pageKey: string;
  describedBy?: string;
  children: ReactNode;
}

export function Heading({ level = 1, title, pageKey, describedBy, children }: HeadingProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key stands for the page
  useEffect(() => heading.current?.focus(), [pageKey]);
  useEffect(() => {
    document.title = title;
  }, [title]);
  const Level = `h${level}` as const;
  return (
    <Level ref={heading} tabIndex={-1} aria-describedby={describedBy}>
      {children}
    </Level>
  );
}
