package inference

import "time"

// SetMetadataTTL sets the age at which a cached description is fetched again.
func (t *Triton) SetMetadataTTL(ttl time.Duration) { t.metadataTTL = ttl }

// ExternalFiles returns the files in which an ONNX file keeps its weights.
var ExternalFiles = externalFiles
