package resize

// Target is the size of the output.
var Target = target
