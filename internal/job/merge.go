package job

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	"imageflow.dev/functions"
)

// merge lets equal requests that are in flight share one run. They must demand a
// version: a run for any version may have begun before the newest was there.
func (r *Runner) merge(ctx context.Context, req functions.Request, policy OverloadPolicy) (resp functions.Response, err error) {
	text, err := proto.MarshalOptions{Deterministic: true}.Marshal(req)
	if err != nil {
		return resp, err
	}
	key := fmt.Sprint(policy, string(text))
	for {
		shared := r.flights.DoChan(key, func() (any, error) { return r.work(ctx, req, policy) })
		select {
		case <-ctx.Done():
			return resp, ctx.Err()
		case got := <-shared:
			if ended(got.Err) && ctx.Err() == nil {
				continue // the end was of the one who had begun the run
			}
			resp, _ = got.Val.(functions.Response)
			return resp, got.Err
		}
	}
}
