package inference

import "sync"

// floatPool pools buffers of numbers. Its zero value is ready to use.
type floatPool struct{ pool sync.Pool }

// getBuffer returns a buffer of any length and content.
func (p *floatPool) getBuffer() *[]float32 {
	if b, ok := p.pool.Get().(*[]float32); ok {
		return b
	}
	return new([]float32)
}

// putBuffer takes a buffer back, which must not be used afterwards.
func (p *floatPool) putBuffer(b *[]float32) { p.pool.Put(b) }
