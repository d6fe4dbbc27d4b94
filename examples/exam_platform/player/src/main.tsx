import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "./styles/base.css";
import "./styles/controls.css";
import "./styles/room.css";
import "./styles/question.css";
import "./styles/pages.css";
import "./styles/live.css";
import { App } from "./views/app";

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root");
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
