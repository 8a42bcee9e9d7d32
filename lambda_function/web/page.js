"use strict";
const MAX_SIDE = 1600;        // the function searches larger photos at this size anyway
const MAX_BYTES = 4400000;    // Lambda takes 6 MB after base64
const LIVE_SIDE = 640;
const ENROL_SIDE = 1000;      // so that twenty photos fit into one request
const PATIENCE = 60000;       // ms; a first call may have to fetch the model
const byId = id => document.getElementById(id);
// The page may live below a stage, as in /prod: ask beside it, whether or not its address ends in a slash.
const beside = name => location.pathname.replace(/\/?$/, "/") + name;
const state = { picture: null, sent: null, faces: [], chosen: -1, running: null, stream: null, manages: false };

/* ---- who asks ---- */

// Of this tab alone, and gone with it.
const headers = more => {
  const key = sessionStorage.getItem("key");
  return key ? { ...more, "X-Api-Key": key } : more;
};

byId("agreed").onchange = () => {
  for (const name of ["choose", "take", "live"]) byId(name).disabled = !byId("agreed").checked;
  byId("ways").textContent = byId("agreed").checked ? "or drop one here, or paste it: JPEG, PNG or WebP."
    : "Tick above first. Then choose a photo, drop one here, or paste it: JPEG, PNG or WebP.";
  if (!byId("agreed").checked) stopLive();
};
byId("lock").onsubmit = event => {
  event.preventDefault();
  const key = byId("key").value.trim();
  if (key) sessionStorage.setItem("key", key);
  byId("key").value = "";
  knock();
};
byId("drop-key").onclick = () => {
  sessionStorage.removeItem("key");
  knock();
};

// Asks what the function is, and whether the key opens its people.
async function knock() {
  byId("error").hidden = true;
  byId("drop-key").hidden = !sessionStorage.getItem("key");
  state.manages = false;
  try {
    const answer = await fetch(beside("health"), { headers: headers({}) });
    const content = await answer.json();
    if (answer.status === 401) wantKey("This key is not known here.");
    else if (content.error) fail(sentence(content.error.message));
    if (content.model) byId("model").textContent = `Model ${content.model}${content.code ? `, code ${content.code}` : ""}.`;
    state.manages = content.people !== undefined;
  } catch { /* a photo will say so */ }
  byId("people").hidden = !state.manages;
  if (state.manages) list();
}

function wantKey(text) {
  byId("access").open = true;
  fail(text);
  byId("key").focus();
}

/* ---- bringing a photo ---- */

byId("choose").onclick = () => byId("file").click();
byId("file").onchange = byId("camera").onchange = event => {
  const file = event.target.files[0];
  event.target.value = "";    // so that the same file can be chosen again
  if (file) start(file);
};
addEventListener("dragover", event => { event.preventDefault(); byId("drop").classList.add("over"); });
addEventListener("dragleave", event => { if (!event.relatedTarget) byId("drop").classList.remove("over"); });
addEventListener("drop", event => {
  event.preventDefault();
  byId("drop").classList.remove("over");
  if (!byId("agreed").checked) return fail("First tick that the people in the photo have agreed.");
  const file = event.dataTransfer.files[0];
  file ? start(file) : fail("That was not a file. Drop a photo from your computer.");
});
addEventListener("paste", event => {
  const file = [...event.clipboardData.files].find(item => item.type.startsWith("image/"));
  if (file && !byId("agreed").checked) return fail("First tick that the people in the photo have agreed.");
  if (file) start(file);
});

const camera = async facing => {
  try {
    return await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 }, facingMode: facing } });
  } catch (error) {
    fail(error.name === "NotAllowedError"
      ? "The camera may not be used. Allow it in the browser, or choose a photo instead."
      : "No camera was found. Choose a photo instead.");
  }
};
const close = stream => stream?.getTracks().forEach(track => track.stop());

byId("take").onclick = async () => {
  stopLive();
  const phone = matchMedia("(pointer: coarse)").matches;
  if (phone || !navigator.mediaDevices) return byId("camera").click();
  const stream = await camera("user");
  if (!stream || byId("booth").open || !byId("agreed").checked) return close(stream);   // as below
  const video = document.querySelector("#booth video");
  video.srcObject = stream;
  byId("booth").showModal();
  await video.play();
};
byId("leave").onclick = () => byId("booth").close();
byId("booth").onclose = () => {
  const video = document.querySelector("#booth video");
  close(video.srcObject);
  video.srcObject = null;
};
byId("snap").onclick = async () => {
  const video = document.querySelector("#booth video");
  if (!video.videoWidth) return;
  const canvas = paint(video, video.videoWidth, video.videoHeight);
  byId("booth").close();
  start(await encode(canvas));
};

/* ---- live: the next picture when the last one is answered ---- */

byId("live").onclick = async () => {
  if (state.stream) return stopLive();
  state.running?.abort();
  if (!navigator.mediaDevices) return fail("This browser gives pages no camera.");
  const stream = await camera("environment");
  // While the browser asked for the camera there may have been a second click, or the tick may have gone.
  if (!stream || state.stream || !byId("agreed").checked) return close(stream);
  state.stream = stream;
  byId("live").textContent = "Stop the camera";
  byId("error").hidden = true;
  const video = document.createElement("video");
  Object.assign(video, { muted: true, playsInline: true, srcObject: stream });
  await video.play();
  while (state.stream === stream) {
    const scale = Math.min(1, LIVE_SIDE / Math.max(video.videoWidth, video.videoHeight));
    const canvas = paint(video, Math.round(video.videoWidth * scale), Math.round(video.videoHeight * scale));
    const running = state.running = new AbortController();
    const sent = await encode(canvas);
    Object.assign(state, { sent });
    const content = await ask(running, canvas);
    if (!content) break;
  }
  if (state.stream === stream) stopLive();
};

function stopLive() {
  if (!state.stream) return;
  state.running?.abort();
  close(state.stream);
  state.stream = null;
  byId("live").textContent = "Live camera";
}
addEventListener("pagehide", stopLive);

/* ---- making it small enough ---- */

function paint(source, width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#fff";     // what is transparent in a PNG would turn black in a JPEG
  pen.fillRect(0, 0, width, height);
  pen.imageSmoothingQuality = "high";
  pen.drawImage(source, 0, 0, width, height);
  return canvas;
}

const encode = canvas => new Promise((done, failed) =>
  canvas.toBlob(blob => blob ? done(blob) : failed(new Error("no picture")), "image/jpeg", 0.92));

async function shrink(file, side = MAX_SIDE) {
  // Turned upright by its EXIF tag, as the function will see it.
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
  const canvas = paint(bitmap, Math.max(1, Math.round(bitmap.width * scale)), Math.max(1, Math.round(bitmap.height * scale)));
  bitmap.close();
  const asItIs = scale === 1 && file.size <= MAX_BYTES && /^image\/(jpeg|png|webp)$/.test(file.type);
  return { canvas, blob: asItIs ? file : await encode(canvas) };
}

/* ---- asking the function ---- */

async function start(file) {
  stopLive();
  state.running?.abort();
  const running = state.running = new AbortController();
  Object.assign(state, { faces: [], chosen: -1, picture: null, sent: null });
  byId("error").hidden = byId("result").hidden = true;
  say("Opening the photo…", true);
  try {
    const { canvas, blob } = await shrink(file);
    if (running.signal.aborted) return;
    Object.assign(state, { picture: canvas, sent: blob });
  } catch {
    if (running.signal.aborted) return;
    return fail(/hei[cf]/i.test(file.type + file.name)
      ? "This browser cannot open HEIC photos. Save it as JPEG, or set the phone's camera to “most compatible”."
      : "This file cannot be opened as a photo. Use a JPEG, PNG or WebP.");
  }
  show();
  ask(running);
}

// Returns the answer, or nothing where it has said what went wrong, or another photo has taken over.
async function ask(running, frame = null) {
  byId("error").hidden = true;
  if (!frame) say("Looking for faces…", true);
  const began = performance.now();
  const late = setTimeout(() => running.abort("late"), PATIENCE);
  try {
    const query = new URLSearchParams();
    if (byId("largest").checked) query.set("faces", "largest");
    if (state.manages) query.set("top", "5");
    const answer = await fetch(`${beside("v1/recognize")}?${query}`, {
      method: "POST", body: state.sent, signal: running.signal,
      headers: headers({ "Content-Type": state.sent.type || "image/jpeg", Accept: "application/json" }),
    });
    const content = await answer.json().catch(() => ({}));
    if (running.signal.aborted) return;
    if (answer.status === 401) return wantKey("This function answers only with a key: enter yours above.");
    if (!answer.ok) return fail(explain(answer.status, content), answer.status === 429 || answer.status >= 500);
    if (frame) {
      state.picture = frame;
      show();
    }
    // Boxes are in pixels of the photo that was sent, which is the one on the canvas.
    state.faces = content.faces;
    named(content, (performance.now() - began) / 1000);
    return content;
  } catch {
    if (running.signal.aborted && running.signal.reason !== "late") return;   // another photo has taken over
    fail(running.signal.aborted ? "The function did not answer within a minute."
      : "The function cannot be reached. Are you online?", true);
  } finally {
    clearTimeout(late);
  }
}

function explain(status, content) {
  if (content.error?.message) return sentence(content.error.message);
  if (status === 403) return "This function answers only to signed requests, which a page cannot send.";
  if (status === 413) return "The photo is too large for the function. Make it smaller.";
  if (status === 429) return "Too many photos at once. Wait a moment.";
  return `The function failed (status ${status}).`;
}
const sentence = text => text.charAt(0).toUpperCase() + text.slice(1) + (/[.?!]$/.test(text) ? "" : ".");

byId("again").onclick = () => {
  state.running = new AbortController();
  ask(state.running);
};

/* ---- showing what came back ---- */

function say(text, busy = false) {
  byId("status").textContent = text;
  byId("status").classList.toggle("busy", busy);
}

function fail(text, again = false) {
  say("");
  byId("error").querySelector("span").textContent = text;
  byId("again").hidden = !(again && state.sent);
  byId("error").hidden = false;
}

function show() {
  const photo = byId("photo");
  const ratio = state.picture.width / state.picture.height;
  photo.style.aspectRatio = ratio;
  photo.style.width = `min(100%, calc(80vh * ${ratio}))`;
  photo.setAttribute("aria-label", "Your photo");
  byId("names").hidden = true;
  byId("result").classList.remove("named");
  byId("result").hidden = false;
  byId("this-photo").disabled = false;
  draw();
}

const plain = name => name.replaceAll("_", " ");
// An estimate is never certain: neither 100 % nor 0 %.
const percent = value => value > 0.995 ? "over 99 %" : value < 0.005 ? "under 1 %" : `${Math.round(value * 100)} %`;
const isKnown = face => face.name !== "unknown";

function named(content, seconds) {
  const count = state.faces.length;
  const faces = count === 1 ? "1 face" : `${count} faces`;
  if (!count) return say("No face was found. Try a photo with a larger face, seen from the front.");
  const few = byId("largest").checked ? "the largest" : `the surest ${count}`;
  const more = content.faces_found > count ? `; ${few} of ${content.faces_found} ${count === 1 ? "is" : "are"} shown` : "";
  say(`${faces} in ${seconds.toFixed(1)} s${more}.`);
  state.faces.sort((a, b) => a.box[0] - b.box[0]);   // numbers run from left to right
  byId("photo").setAttribute("aria-label",
    `Your photo with ${faces}, from left to right: ${state.faces.map(face => plain(face.name)).join(", ")}`);
  byId("names").querySelector("h2").textContent = count === 1 ? "The face" : `The ${faces}, from left to right`;
  byId("faces").replaceChildren(...state.faces.map(entry));
  byId("names").hidden = false;
  byId("result").classList.add("named");
  draw();
}

function element(tag, text = "", attributes = {}) {
  const made = document.createElement(tag);
  made.textContent = text;   // names are text, never markup
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function entry(face, index) {
  const item = element("li"), details = element("details"), summary = element("summary"), words = element("span");
  words.append(element("strong", `${index + 1}. ${isKnown(face) ? plain(face.name) : "Unknown"}`), element("span",
    isKnown(face) ? `confidence ${percent(face.confidence)}` : "not sure enough of anyone", { class: "quiet" }));
  summary.append(thumbnail(face), words);
  // Who else is similar is told to those who manage people, and to nobody else.
  if (face.top) {
    details.append(summary, candidates(face));
    details.open = state.faces.length === 1;
    item.append(details);
  } else {
    const plainly = element("div", "", { class: "summary", tabindex: "0" });
    plainly.append(...summary.childNodes);
    item.append(plainly);
  }
  for (const event of ["pointerenter", "focusin"]) item.addEventListener(event, () => choose(index));
  for (const event of ["pointerleave", "focusout"]) item.addEventListener(event, () => choose(-1));
  return item;
}

function thumbnail(face) {
  const [x0, y0, x1, y1] = face.box, side = Math.max(x1 - x0, y1 - y0) * 1.3;
  const canvas = element("canvas", "", { width: 112, height: 112, "aria-hidden": "true" });
  canvas.getContext("2d").drawImage(state.picture, (x0 + x1 - side) / 2, (y0 + y1 - side) / 2, side, side, 0, 0, 112, 112);
  return canvas;
}

function candidates(face) {
  const table = element("table");
  table.append(element("caption", "Most similar people, with confidence"));
  for (const one of face.top) {
    const row = table.insertRow(), bar = element("span", "", { class: "bar", "aria-hidden": "true" }), fill = element("i");
    fill.style.width = `${one.confidence * 100}%`;
    bar.append(fill);
    row.append(element("th", plain(one.name), { scope: "row" }));
    row.insertCell().append(bar);
    row.insertCell().textContent = percent(one.confidence);
  }
  return table;
}

function choose(index) {
  if (state.chosen === index) return;
  state.chosen = index;
  [...byId("faces").children].forEach((item, i) => item.classList.toggle("chosen", i === index));
  draw();
}

function draw() {
  const photo = byId("photo"), pen = photo.getContext("2d");
  if (!state.picture || !photo.clientWidth) return;
  // Drawn in the screen's own pixels, so that names stay sharp, but measured in those of the photo, like the boxes.
  photo.width = Math.round(photo.clientWidth * devicePixelRatio);
  photo.height = Math.round(photo.width * state.picture.height / state.picture.width);
  const scale = photo.width / state.picture.width, unit = devicePixelRatio / scale;
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.imageSmoothingQuality = "high";
  pen.drawImage(state.picture, 0, 0);
  const taken = state.faces.map(face => face.box);
  state.faces.forEach((face, index) => outline(pen, face, index, unit));
  state.faces.forEach((face, index) => tag(pen, face, index, unit, taken));
}

function outline(pen, face, index, unit) {
  const [x0, y0, x1, y1] = face.box, width = (index === state.chosen ? 5 : 3) * unit;
  for (const [line, ink] of [[width + 2 * unit, "#fff"], [width, isKnown(face) ? "#0072b2" : "#4a4f55"]]) {
    pen.lineWidth = line;
    pen.strokeStyle = ink;
    pen.setLineDash(isKnown(face) || ink === "#fff" ? [] : [10 * unit, 6 * unit]);
    pen.strokeRect(x0, y0, x1 - x0, y1 - y0);
  }
  pen.setLineDash([]);
}

function tag(pen, face, index, unit, taken) {
  pen.font = `600 ${14 * unit}px system-ui, sans-serif`;
  const name = `${index + 1} ${plain(face.name)}`;
  // Where a name would cover a face or another name only the number stands; the list below has the name.
  const spot = place(pen, name, face.box, unit, taken) ?? (index === state.chosen ? spots(pen, name, face.box, unit)[0] : null);
  const text = spot ? name : String(index + 1);
  const [x0, y0, x1, y1] = spot ?? place(pen, text, face.box, unit, taken) ?? spots(pen, text, face.box, unit)[0];
  taken.push([x0, y0, x1, y1]);
  pen.fillStyle = isKnown(face) ? "#0072b2" : "#4a4f55";
  pen.fillRect(x0, y0, x1 - x0, y1 - y0);
  pen.fillStyle = "#fff";
  pen.textBaseline = "middle";
  pen.fillText(text, x0 + 6 * unit, (y0 + y1) / 2);
}

function spots(pen, text, [x0, y0, x1, y1], unit) {
  const high = 24 * unit, wide = pen.measureText(text).width + 12 * unit;
  const { width, height } = state.picture, gap = 3 * unit, found = [];
  for (const top of [y0 - high - gap, y1 + gap]) {
    for (const left of [x0 - gap, x1 + gap - wide]) {
      const x = Math.max(0, Math.min(left, width - wide)), y = Math.max(0, Math.min(top, height - high));
      found.push([x, y, x + wide, y + high]);
    }
  }
  return found;
}

function place(pen, text, box, unit, taken) {
  const apart = (one, other) => one[2] <= other[0] || other[2] <= one[0] || one[3] <= other[1] || other[3] <= one[1];
  return spots(pen, text, box, unit).find(spot => taken.every(other => apart(spot, other)));
}

byId("photo").onclick = event => {
  const scale = state.picture.width / byId("photo").clientWidth;
  const x = event.offsetX * scale, y = event.offsetY * scale;
  const index = state.faces.findIndex(({ box }) => x >= box[0] && x <= box[2] && y >= box[1] && y <= box[3]);
  if (index < 0) return;
  const item = byId("faces").children[index], details = item.querySelector("details");
  if (details) details.open = true;
  item.querySelector("summary, .summary").focus();
};
new ResizeObserver(draw).observe(byId("photo"));

/* ---- the enrolled people ---- */

async function list() {
  const answer = await fetch(beside("v1/people"), { headers: headers({}) });
  const content = await answer.json();
  if (!answer.ok) return tell(explain(answer.status, content));
  byId("enrolled").textContent = `Enrolled people (${content.people.length})`;
  byId("who").replaceChildren(...content.people.map(row));
}

function row(person) {
  const item = element("li"), words = element("span", plain(person.name));
  const known = [person.consent && `agreed on ${person.consent}`, person.expires && `until ${person.expires}`, person.purpose];
  words.append(element("small", known.filter(Boolean).join(", ") || "no consent on record"));
  const button = element("button", "Forget", { type: "button", class: "second", "aria-label": `Forget ${plain(person.name)}` });
  button.onclick = () => {
    if (button.textContent === "Forget") {
      button.textContent = "Really?";
      return setTimeout(() => { button.textContent = "Forget"; }, 5000);
    }
    change("DELETE", person.name, null, `${plain(person.name)} is forgotten.`);
  };
  item.append(words, button);
  return item;
}

byId("enrol").onsubmit = async event => {
  event.preventDefault();
  const form = new FormData(), name = byId("name").value.trim();
  const files = [...byId("photos").files];
  if (byId("this-photo").checked && state.sent) files.push(state.sent);
  if (!files.length) return tell("Choose at least one photo of this person.");
  try {
    for (const file of files) form.append("photo", (await shrink(file, ENROL_SIDE)).blob, "photo.jpg");
  } catch {
    return tell("One of these files cannot be opened as a photo. Use JPEG, PNG or WebP.");
  }
  for (const field of ["consent", "expires", "purpose"]) if (byId(field).value) form.append(field, byId(field).value);
  if (await change("PUT", name, form, `${name} is enrolled.`)) {
    byId("enrol").reset();
    byId("consent").value = today();
  }
};

async function change(method, name, body, done) {
  tell("One moment…");
  try {
    const answer = await fetch(beside(`v1/people/${encodeURIComponent(name)}`), { method, body, headers: headers({}) });
    const content = await answer.json().catch(() => ({}));
    if (!answer.ok) return void tell(explain(answer.status, content));
    await list();
    tell(done);
    return true;
  } catch {
    tell("The function cannot be reached. Are you online?");
  }
}

const tell = text => { byId("told").textContent = text; };
const today = () => new Date(Date.now() - new Date().getTimezoneOffset() * 60000).toISOString().slice(0, 10);

for (const told of document.querySelectorAll("dd")) {
  told.hidden = told.previousElementSibling.hidden = !told.textContent;   // the operator has not said
}
byId("consent").value = byId("consent").max = today();
byId("expires").min = today();
byId("agreed").onchange();   // a browser may bring the tick back with the page
knock();
