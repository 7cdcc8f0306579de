// <page-address href="..."> makes the address of a page that answers a form the one of the choices in it, so that it can
// be shared, and loading it again does not send the form again.
class PageAddress extends HTMLElement {
  connectedCallback() {
    history.replaceState(null, "", this.getAttribute("href"));
  }
}

customElements.define("page-address", PageAddress);
