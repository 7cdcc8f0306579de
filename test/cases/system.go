package main

import "imageflow.dev/test/localmode"

// system is the local mode that the cases are sent to.
type system struct{ *localmode.Local }
