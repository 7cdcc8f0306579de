package resize

// Target is the size that a picture gets.
var Target = target
