package imaging

import (
	"context"
	_ "embed"
	"sync"
)

// probes are small images of the formats whose decoders a build of libheif may lack.
var (
	//go:embed probe.avif
	probeAVIF []byte
	//go:embed probe.heic
	probeHEIC []byte
)

var readsAVIF, readsHEIC = sync.OnceValue(canLoad(probeAVIF)), sync.OnceValue(canLoad(probeHEIC))

// readable reports whether this build can decode the format.
func (f Format) readable() bool {
	switch f {
	case AVIF:
		return readsAVIF()
	case HEIC:
		return readsHEIC()
	}
	return true
}

// missingDecoder names the decoder that a build which cannot read the format lacks, and what has it.
func (f Format) missingDecoder() string {
	if f == HEIC {
		return "a decoder of HEVC, which the image target plain-heif has"
	}
	return "a decoder of AV1, which libheif has with dav1d"
}

func canLoad(data []byte) func() bool {
	return func() bool {
		m, err := Open(data, Limits{MaxSide: 64, MaxPixels: 64 * 64})
		if err == nil {
			_, err = m.load(context.Background(), fullSize)
		}
		return err == nil
	}
}
