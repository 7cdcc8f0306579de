package inference

import "time"

// SetMetadataTTL sets the age at which a cached description is fetched again.
func (t *Triton) SetMetadataTTL(ttl time.Duration) { t.metadataTTL = ttl }

// ReadWeights returns the files in which an ONNX file keeps its weights, and their type.
var ReadWeights = readWeights

// SetUnused makes a version that a request has loaded look unused for an hour.
func (f *Folder) SetUnused(name, version string) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.further[versionKey{name, version}].used = time.Now().Add(-time.Hour)
}
