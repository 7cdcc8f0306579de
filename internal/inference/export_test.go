package inference

import "time"

// Keep sets how old a description may be when a model is asked for.
func (t *Triton) Keep(fresh time.Duration) { t.fresh = fresh }

// Waiting tells how many inputs wait for a batch.
func (m *onnxModel) Waiting() int {
	m.batcher.mutex.Lock()
	defer m.batcher.mutex.Unlock()
	return len(m.batcher.waiting)
}
