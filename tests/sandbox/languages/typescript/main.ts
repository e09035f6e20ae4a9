import { existsSync } from "fs";
import { sum } from "./sum";

const total: number = sum(1, 2);
console.log(existsSync(process.argv[1]) ? total : 0);
