package job

import (
	"errors"
	"strconv"

	"imageflow.dev/functions"
	"imageflow.dev/internal/events"
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
		MaxBytes:    int(e.GetMaxBytes()),
		Lossless:    e.GetLossless(),
		Progressive: e.GetProgressive(),
		Chroma:      chromas[e.GetChroma()],
		Speed:       int(e.GetSpeed()),
		Compression: int(e.GetCompression()),
		Palette:     e.GetPalette(),
		Background:  functions.Colour(e.GetBackground()),
		Keep:        keeps[e.GetKeep()],
		Profile:     profiles[e.GetProfile()],
	}
}

var chromas = map[imageflowv1.Chroma]imaging.Chroma{
	imageflowv1.Chroma_CHROMA_UNSPECIFIED: imaging.ChromaByQuality,
	imageflowv1.Chroma_CHROMA_420:         imaging.Chroma420,
	imageflowv1.Chroma_CHROMA_444:         imaging.Chroma444,
}

var keeps = map[imageflowv1.Keep]imaging.Keep{
	imageflowv1.Keep_KEEP_UNSPECIFIED: imaging.KeepNothing,
	imageflowv1.Keep_KEEP_COPYRIGHT:   imaging.KeepCopyright,
	imageflowv1.Keep_KEEP_ALL:         imaging.KeepAll,
}

var profiles = map[imageflowv1.Profile]imaging.Profile{
	imageflowv1.Profile_PROFILE_UNSPECIFIED: imaging.SRGB,
	imageflowv1.Profile_PROFILE_KEEP:        imaging.KeepProfile,
	imageflowv1.Profile_PROFILE_DISPLAY_P3:  imaging.DisplayP3,
}

// checkEncoding rejects an option that the format of the output does not have.
func (p *plan) checkEncoding(f imaging.Format) error {
	var unsupported *imaging.UnsupportedError
	if err := encodingOf(p.request).Check(f); errors.As(err, &unsupported) {
		return functions.Errorf(functions.Invalid, "encoding."+unsupported.Option, "%v", err)
	}
	return nil
}

// describeFit sets the quality and the size of an output that was made for a maximum size.
// quality is empty for other outputs.
func describeFit(result *imageflowv1.ProcessingResult, quality string, bytes int64) {
	if quality != "" {
		events.Quality.Set(result, quality)
		events.Bytes.Set(result, strconv.FormatInt(bytes, 10))
	}
}

// fitQuality returns the quality that was found for a maximum size, or "" if there is none.
func fitQuality(out imaging.Encoded) string {
	if out.Quality == 0 {
		return ""
	}
	return strconv.Itoa(out.Quality)
}
