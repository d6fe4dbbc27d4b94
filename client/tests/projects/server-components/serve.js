import { render } from "./dist/rsc/index.js";

console.log(await render());
