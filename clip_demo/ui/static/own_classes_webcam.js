// The webcam of the tab "Your classes": one stream for all cards and for the test photo, asked for by a click.
Object.assign(clipTeach, {
  stream: null,
  recording: null, // position of the class that frames go to
  frames: [], // { i, photo }: taken, and not sent yet

  async startCamera() {
    try {
      this.stream ??= await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 } });
    } catch {
      const why = window.isSecureContext ? "The browser got no image from a webcam." : "Browsers open the webcam only for an encrypted page.";
      this.say(`${why} Add photos instead.`);
      return false;
    }
    // Who opens another tab does not want to be seen any more.
    this.watch ??= setInterval(() => this.visible() || this.stopCamera(), 500);
    for (const video of document.querySelectorAll("#teach video")) {
      video.srcObject = this.stream;
      video.play();
    }
    this.draw();
    this.drawTestCamera();
    return true;
  },

  stopCamera() {
    this.release();
    clearInterval(this.watch);
    this.watch = null;
    this.stream?.getTracks().forEach((each) => each.stop());
    this.stream = null;
    if (this.test?.webcam) this.choose(null);
    this.draw();
    this.drawTestCamera();
  },

  drawTestCamera() {
    const on = Boolean(this.test?.webcam && this.stream);
    document.querySelector("#teach-video").hidden = !on;
    document.querySelector("#teach [data-do=webcam]").hidden = on;
    document.querySelectorAll("#teach [data-do=stop-webcam]").forEach((each) => (each.hidden = !this.stream));
  },

  async frame() {
    const video = document.querySelector("#teach-video");
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [video.videoWidth || 640, video.videoHeight || 480];
    canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
    return new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.92));
  },

  hold(i) {
    if (!this.stream || this.recording !== null) return;
    this.recording = i;
    document.querySelector(`.teach-card[data-class="${i}"]`).classList.add("recording");
    this.draw();
    const shoot = async (first) => {
      const photo = await this.frame();
      if (photo && (first || this.recording === i)) this.frames.push({ i, photo });
      this.flush();
    };
    shoot(true); // also if the button was only tapped
    this.shutter = setInterval(shoot, TEACH.frame);
  },

  release() {
    if (this.recording === null) return;
    clearInterval(this.shutter);
    this.recording = null;
    this.draw();
    document.querySelectorAll(".teach-card.recording").forEach((each) => each.classList.remove("recording"));
  },

  // One upload at a time; what is taken meanwhile goes with the next one.
  async flush() {
    if (this.flushing || !this.frames.length) return;
    this.flushing = true;
    const { i } = this.frames[0];
    const { name, keys } = this.classes[i];
    const others = this.frames.findIndex((each) => each.i !== i);
    const taken = this.frames.splice(0, Math.min(TEACH.atOnce, others < 0 ? Infinity : others)).map(({ photo }) => photo);
    const fit = taken.slice(0, Math.max(TEACH.most - keys.length, 0));
    try {
      if (fit.length) await this.addPhotos(i, fit, true);
      else {
        this.release();
        this.say(`“${name}” has ${TEACH.most} photos. That is all that a class can have.`);
      }
    } catch {
      this.say("The images of the webcam did not arrive. Try again.");
    }
    this.flushing = false;
    this.flush();
  },

  drawCamera(card, name) {
    const [button, video] = [card.querySelector("[data-do=record]"), card.querySelector("video")];
    const records = this.recording === Number(card.dataset.class);
    button.textContent = !this.stream ? "Use the webcam" : records ? "Recording …" : "Hold to record";
    button.setAttribute("aria-label", `${button.textContent}: ${name}`);
    video.hidden = !this.stream;
    if (this.stream && video.srcObject !== this.stream) {
      video.srcObject = this.stream;
      video.play();
    }
  },

  async webcam() {
    if (!(await this.startCamera())) return;
    this.choose({ webcam: true });
    this.drawTestCamera();
  },
});
