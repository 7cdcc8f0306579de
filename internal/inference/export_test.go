package inference

import "time"

// Keep sets how old a description may be when a model is asked for.
func (t *Triton) Keep(fresh time.Duration) { t.fresh = fresh }
