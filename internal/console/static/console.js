// The scripts of the pages. Without them, all lists can be read and forms work.
import "./live-region.js";
import "./upload-form.js";
import "./image-compare.js";
import "./copy-text.js";
import "./page-address.js";
