package job

import (
	"errors"

	"imageflow.dev/functions"
	"imageflow.dev/internal/imaging"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// encodingOf returns the options of the encoder in a request. Requests without the field have
// none.
func encodingOf(req functions.Request) imaging.Encoding {
	r, ok := req.(interface{ GetEncoding() *imageflowv1.Encoding })
	if !ok {
		return imaging.Encoding{}
	}
	e := r.GetEncoding()
	return imaging.Encoding{
		Quality:     int(e.GetQuality()),
		Lossless:    e.GetLossless(),
		Progressive: e.GetProgressive(),
		Chroma:      chromas[e.GetChroma()],
		Speed:       int(e.GetSpeed()),
	}
}

var chromas = map[imageflowv1.Chroma]imaging.Chroma{
	imageflowv1.Chroma_CHROMA_UNSPECIFIED: imaging.ChromaByQuality,
	imageflowv1.Chroma_CHROMA_420:         imaging.Chroma420,
	imageflowv1.Chroma_CHROMA_444:         imaging.Chroma444,
}

// checkEncoding rejects an option that the format of the output does not have.
func (p *plan) checkEncoding(f imaging.Format) error {
	var unsupported *imaging.UnsupportedError
	if err := encodingOf(p.request).Check(f); errors.As(err, &unsupported) {
		return functions.Errorf(functions.Invalid, "encoding."+unsupported.Option, "%v", err)
	}
	return nil
}
