package job

import "imageflow.dev/functions"

// Check refuses what a runner of the processor would refuse without looking at
// the picture.
func Check[Req functions.Request, Resp functions.Response](p functions.Processor[Req, Resp], req Req) error {
	_, err := NewRunner(p, nil, nil, Config{}).check(req)
	return err
}
