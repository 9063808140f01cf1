// Operates an explorer page as a user would. `expected` holds latents and the images that the library decodes
// from them; `seen` collects the errors since the page loaded. The result is one line of JSON in the
// document.
(async () => {
  const failed = [];
  const check = (holds, what) => { if (!holds) failed.push(what); };
  const find = (selector) => document.querySelector(selector);
  const settle = () => new Promise((done) => setTimeout(done, 2000));
  const { gpuvae } = window, pad = find(".gx-pad"), image = find(".gx-image");
  const picture = (canvas) => canvas.toDataURL();
  const places = () => JSON.stringify([pad, image, find(".gx-sliders")].map((part) => {
    const { x, y, width, height } = part.getBoundingClientRect();
    return [x, y + scrollY, width, height];
  }));
  const zero = () => gpuvae.setZ(new Array(gpuvae.latent).fill(0));
  let decodeError = 0;

  function checkDecoder() {
    check(expected.latents.length >= 10, "ten latents or more");
    expected.latents.forEach((z, k) => {
      const decoded = gpuvae.decode(z), wanted = expected.images[k];
      check(decoded.length === wanted.length, "size of the decoded image");
      wanted.forEach((value, i) => {
        const error = Math.abs(decoded[i] - value);
        check(error <= 1e-3, "decoded images equal the library's");  // also fails for NaN
        decodeError = Math.max(decodeError, error);
      });
    });
    check(gpuvae.decode(expected.latents[0])[0] !== gpuvae.decode(expected.latents[1])[0], "images depend on z");
  }

  function checkShownImage() {
    if (!image.classList.contains("gx-pixels")) return;
    const copy = new OffscreenCanvas(image.width, image.height).getContext("2d", { willReadFrequently: true });
    for (const z of expected.latents) {
      gpuvae.setZ(z);
      const values = gpuvae.decode(z);
      copy.drawImage(image, 0, 0);
      const pixels = copy.getImageData(0, 0, image.width, image.height).data;
      check(values.every((value, i) => Math.abs(pixels[4 * i] - 255 * Math.min(Math.max(value, 0), 1)) < 0.51),
            "the canvas shows the decoded image");
    }
  }

  function checkSliders() {
    const inputs = [...document.querySelectorAll(".gx-slider input")];
    check(inputs.length === gpuvae.latent, "one slider per dimension");
    let moved = 0;
    inputs.forEach((input, i) => {
      zero();
      const before = picture(image), pointer = picture(pad);
      input.value = Number(input.min) + 0.8 * (input.max - input.min);
      input.dispatchEvent(new Event("input", { bubbles: true }));
      check(gpuvae.z()[i] !== 0 && gpuvae.z().every((value, k) => k === i || value === 0), `slider ${i} moves z`);
      if (i < 2) check(picture(pad) !== pointer, `slider ${i} moves the cross-hair`);
      if (picture(image) !== before) ++moved;
    });
    check(moved > 0, "sliders change the picture");
  }

  function checkKeyboard() {
    zero();
    pad.focus();
    check(document.activeElement === pad, "the pad takes the focus");
    const press = (key, shiftKey = false) => {
      const event = new KeyboardEvent("keydown", { key, shiftKey, bubbles: true, cancelable: true });
      pad.dispatchEvent(event);
      return event.defaultPrevented;
    };
    check(press("ArrowRight"), "the pad takes the arrow keys");
    const small = gpuvae.z()[0];
    check(small > 0, "arrow right moves z");
    press("ArrowLeft");
    press("ArrowRight", true);
    check(Math.abs(gpuvae.z()[0] - 10 * small) < 1e-4, "shift takes larger steps");
    check(!press("Tab"), "tab leaves the pad");
    if (gpuvae.latent < 2) return;
    press("ArrowDown");
    check(gpuvae.z()[1] < 0, "arrow down moves z");
    press("ArrowUp", true);
    check(gpuvae.z()[1] > 0, "arrow up moves z");
  }

  function checkPointer(pointerType) {
    zero();
    const send = (type, right, down) => {
      const box = pad.getBoundingClientRect();
      pad.dispatchEvent(new PointerEvent(type, {
        pointerType, button: type === "pointermove" ? -1 : 0, bubbles: true, pointerId: 1,
        clientX: box.left + right * box.width, clientY: box.top + down * box.height }));
      return gpuvae.z();
    };
    if (pointerType === "touch") send("pointerdown", 0.5, 0.5);
    const before = picture(pad), from = send("pointermove", 0.4, 0.6), to = send("pointermove", 0.7, 0.3);
    check(to[0] > from[0], `${pointerType}: z grows to the right`);
    if (gpuvae.latent > 1) check(to[1] > from[1], `${pointerType}: z grows upwards`);
    check(picture(pad) !== before, `${pointerType}: the cross-hair follows`);
    const edge = send("pointermove", 2, 0.3)[0], high = Number(pad.getAttribute("aria-valuemax"));
    check(Math.abs(edge - high) < 1e-4 * Math.abs(high), `${pointerType}: z stays within the pad`);
    if (pointerType === "mouse") {
      send("pointerdown", 0.7, 0.3);
      send("pointerup", 0.7, 0.3);
      check(send("pointermove", 0.2, 0.3)[0] === to[0], "a click holds z");
      send("pointerdown", 0.7, 0.3);
    }
    send("pointerup", 0.7, 0.3);
  }

  async function checkManifold() {
    zero();
    const before = picture(pad), box = find("[data-show=manifold]");
    box.click();
    await settle();
    const shown = picture(pad);
    check(shown !== before, "the manifold appears");
    if (gpuvae.latent > 2) {
      gpuvae.setZ(expected.latents[0]);
      await settle();
      zero();
      await settle();
      check(picture(pad) === shown, "the manifold follows the other dimensions and comes back");
    }
    box.click();
    await settle();
    check(picture(pad) === before, "the manifold disappears");
  }

  async function checkTheme() {
    zero();
    const look = () => getComputedStyle(document.body).backgroundColor;
    const before = look(), drawn = picture(pad), button = find(".page-theme");
    button.click();
    await settle();
    check(look() !== before && picture(pad) !== drawn, "light and dark differ, on the canvas too");
    button.click();
    await settle();
    check(look() === before && picture(pad) === drawn, "the second click restores the theme");
  }

  async function checkButtons() {
    const before = places();
    find("[data-do=random]").click();
    await settle();
    const z = gpuvae.z();
    check(z.every(Number.isFinite) && z.every((value) => value !== 0), "the random button draws z");
    check(places() === before, "the layout does not move when z changes");
    find("[data-do=reset]").click();
    await settle();
    check(gpuvae.z().every((value) => value === 0), "reset");
  }

  function checkLabels() {
    for (const part of document.querySelectorAll(".gx canvas, .gx select, .gx-slider input"))
      check(part.getAttribute("aria-label"), `a label of ${part.className || part.tagName}`);
    const page = document.documentElement;
    check(page.scrollWidth <= innerWidth, `no overflow at ${innerWidth} px: ${page.scrollWidth}`);
  }

  try {
    checkDecoder();
    checkShownImage();
    checkSliders();
    checkKeyboard();
    checkPointer("mouse");
    checkPointer("touch");
    await checkManifold();
    await checkTheme();
    await checkButtons();
    checkLabels();
  } catch (error) {
    failed.push(String(error?.stack ?? error));
  }
  const result = document.createElement("pre");
  result.id = "page-check";
  const ok = failed.length === 0 && seen.length === 0;
  result.textContent = JSON.stringify({ ok, width: innerWidth, decodeError, failed: [...new Set(failed)], seen });
  document.body.append(result);
})();
