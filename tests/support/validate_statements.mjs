// Reads a JSON array of xAPI statements and prints, as an array, what the validator has against each of them.
import { readFileSync } from "node:fs";
import validation from "@learninglocker/xapi-validation";

const against = (statement) => validation.default(statement).map((it) => `${it.constructor.name} ${it.path.join(".")}`);
console.log(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(against)));
