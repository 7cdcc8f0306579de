// <image-compare> shows two images of an execution on top of each other, with a slider between them and the detections as
// boxes. It takes the images from the elements .image beside it.
class ImageCompare extends HTMLElement {}

customElements.define("image-compare", ImageCompare);
