//go:build !cgo

package inference

import "errors"

var errNoRuntime = errors.New("this binary was built without cgo and cannot run models in the process")

func startRuntime(Options) error { return errNoRuntime }

func load(_, _, _ string, _ Options) (session, error) { return nil, errNoRuntime }
