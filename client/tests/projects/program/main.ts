import { watchAbsence } from "attemptlog-client/absence";
import { useTelemetry } from "attemptlog-client/react";
import { trackWithoutReact } from "./track.js";

trackWithoutReact().then((numbers) => console.log(typeof watchAbsence, typeof useTelemetry, ...numbers));
