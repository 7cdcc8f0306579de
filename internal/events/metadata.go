package events

import imageflowv1 "imageflow.dev/proto/imageflow/v1"

// The keys of a ProcessingResult's metadata.
const (
	// ExecutionID is the id of the execution that the job belongs to.
	ExecutionID ResultKey = "execution_id"
	// Variant is the variant of the output. It is missing where the output has none.
	Variant ResultKey = "variant"
	// SourceBucket, SourceKey and SourceETag name the version of the object that the
	// job read. They are missing where the image was in the request.
	SourceBucket ResultKey = "source_bucket"
	SourceKey    ResultKey = "source_key"
	SourceETag   ResultKey = "source_etag"
	// ReferenceExecution is the id of the execution that wrote the object which the request refers
	// to, such as the side-car of a resize. It is missing if ImageFlow did not write it.
	ReferenceExecution ResultKey = "reference_execution_id"
	// SideCar is the key of the object that holds the response.
	SideCar ResultKey = "side_car"
	// Repaired says what was wrong with an input whose pixels are all there.
	Repaired ResultKey = "repaired"
	// PixelPath is the path of package imaging by which the output was made. It is missing
	// where the output already existed.
	PixelPath ResultKey = "pixel_path"
	// Quality and Bytes are the quality and the size of an output that was made for a maximum
	// size.
	Quality ResultKey = "quality"
	Bytes   ResultKey = "bytes"
	// Encodes is how often pixels were encoded to find the smallest format. It is missing where
	// the output already existed.
	Encodes ResultKey = "encodes"
	// ErrorCode is the name of the google.rpc.Code of a failed item of a stream.
	ErrorCode ResultKey = "error_code"
	// ErrorField is the field of the request that made an item of a stream fail.
	ErrorField ResultKey = "error_field"
)

// StageTime is the key of the time that a job spent in a stage, such as "fetch": a
// decimal number of milliseconds.
func StageTime(stage string) ResultKey { return ResultKey(stage + "_ms") }

// ResultKey is a key of a ProcessingResult's metadata.
type ResultKey string

// Get returns the value of the key in a result, and an empty string where it is missing.
func (k ResultKey) Get(result *imageflowv1.ProcessingResult) string {
	return result.GetMetadata()[string(k)]
}

// Set sets the value of the key in a result.
func (k ResultKey) Set(result *imageflowv1.ProcessingResult, value string) {
	if result.Metadata == nil {
		result.Metadata = map[string]string{}
	}
	result.Metadata[string(k)] = value
}
