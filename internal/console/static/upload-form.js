// <upload-form> sends the images that are chosen or dropped, one after the other, and shows the card of each.
const maxFollowed = 50;

class UploadForm extends HTMLElement {
  connectedCallback() {
    this.addEventListener("submit", (event) => {
      event.preventDefault();
      const form = event.target;
      const body = new FormData(form, event.submitter);
      const files = body.getAll("image").filter((file) => file.size > 0);
      if (form.querySelector("[type=file]")) this.sendAll(files);
      else this.sendAll([], body);
      form.reset();
    });
    const drop = this.querySelector(".drop");
    for (const type of ["dragenter", "dragover"]) {
      drop.addEventListener(type, (event) => { event.preventDefault(); drop.classList.add("over"); });
    }
    drop.addEventListener("dragleave", () => drop.classList.remove("over"));
    drop.addEventListener("drop", (event) => {
      event.preventDefault();
      drop.classList.remove("over");
      this.sendAll([...event.dataTransfer.files]);
    });
    const input = drop.querySelector("[type=file]");
    input.multiple = true; // a form that the browser sends itself has one image
    input.addEventListener("change", () => drop.requestSubmit());
  }

  // sendAll sends files, or else the form of a sample. It shows what went wrong with each.
  async sendAll(files, sample) {
    const error = this.querySelector("[data-error]");
    error.textContent = "";
    error.hidden = true;
    if (sample) await this.send(sample);
    for (const file of files) {
      const body = new FormData();
      body.append("image", file);
      await this.send(body, file.name);
    }
  }

  async send(body, name = "") {
    try {
      const answer = await fetch("/upload", { method: "POST", body, headers: { "X-Requested-With": "fetch" } });
      const text = await answer.text();
      if (!answer.ok) throw new Error(text);
      const template = document.createElement("template");
      template.innerHTML = text;
      const card = template.content.querySelector(".card");
      this.querySelector("[data-cards]").prepend(template.content);
      this.follow(card.dataset);
    } catch (reason) {
      const error = this.querySelector("[data-error]");
      error.textContent += name ? `${name}: ${reason.message}\n` : `${reason.message}\n`;
      error.hidden = false;
    }
  }

  // follow adds an execution to the live updates of the last cards.
  follow({ bucket, execution }) {
    const region = this.querySelector("live-region");
    this.followed = [execution, ...(this.followed ?? [])].slice(0, maxFollowed);
    const query = new URLSearchParams([["bucket", bucket], ...this.followed.map((id) => ["id", id])]);
    region.setAttribute("src", `/live?${query}`);
  }
}

customElements.define("upload-form", UploadForm);
