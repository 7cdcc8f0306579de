// Converts images by sharp. Usage: node sharp.mjs FOLDER, which has node_modules/sharp.
// A line of standard input is a task, in JSON: from, to, format, and animated, which keeps all frames.
// A line of standard output is the error of the task, and empty without one.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const sharp = createRequire(process.argv[2] + "/")("sharp");
const options = { heif: { compression: "hevc" } };

for await (const line of createInterface({ input: process.stdin })) {
	const { from, to, format, animated } = JSON.parse(line);
	let answer = "";
	try {
		await sharp(readFileSync(from), { animated }).autoOrient().toFormat(format, options[format]).toFile(to);
	} catch (error) {
		answer = error.message.replaceAll("\n", " ");
	}
	console.log(answer);
}
