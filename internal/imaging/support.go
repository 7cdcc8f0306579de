package imaging

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Support describes what this package, in this build, can do with a format.
type Support struct {
	Format Format
	// Extensions are the extensions of file names, without a dot. The usual one is the first.
	Extensions  []string
	Read, Write bool
	// ReadAnimated and WriteAnimated: the frames after the first one are read or written, too.
	ReadAnimated, WriteAnimated bool
	// Options are the options of the encoder, by their names in the contract.
	Options []string
	// Missing is what the build lacks to read or to write the format, and what has it. It is
	// empty if the build lacks nothing.
	Missing string
}

// AllSupport returns the support of each format, sorted by name.
func AllSupport() []Support {
	var all []Support
	for _, f := range slices.Sorted(maps.Keys(codecs)) {
		all = append(all, f.Support())
	}
	return all
}

// Support returns the support of the format. The first call for a format whose codec may be
// missing decodes or encodes a small image.
func (f Format) Support() Support {
	codec := codecs[f]
	s := Support{
		Format: f, Extensions: []string{codec.extension}, Read: true, Write: f.Writable(),
		ReadAnimated: codec.animated.read, WriteAnimated: codec.animated.write,
	}
	for _, alias := range codec.aliases {
		if alias != codec.extension && !strings.HasPrefix(alias, "x-") {
			s.Extensions = append(s.Extensions, alias)
		}
	}
	switch {
	case f == HEIC && !f.readable():
		s.Read, s.Missing = false, f.missingDecoder()
	case f == AVIF && !writesAVIF():
		s.Write, s.Missing = false, "an encoder of AV1, which libheif has with libaom"
	}
	if s.Write {
		s.Options = codec.options.names()
	}
	return s
}

// names returns the names of the options in the contract.
func (has options) names() []string {
	names := []string{"background"} // which all encoders have
	for _, option := range (Encoding{}).list(has) {
		if option.have {
			names = append(names, option.name)
		}
	}
	return names
}

var writesAVIF = sync.OnceValue(func() bool {
	_, err := NewPixels(8, 8, 3).encode(context.Background(), AVIF, Encoding{}.complete(AVIF, codecs[AVIF].quality))
	return err == nil
})
