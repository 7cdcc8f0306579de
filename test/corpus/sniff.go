package main

import (
	"bytes"
	"crypto/sha256"
	"io"
	"os"
)

// signatures are the first bytes of image formats; a question mark stands for any byte. The
// service reads all of them but JPEG 2000.
var signatures = []struct{ format, start string }{
	{"jpeg", "\xff\xd8\xff"},
	{"png", "\x89PNG\r\n\x1a\n"},
	{"webp", "RIFF????WEBP"},
	{"gif", "GIF8"},
	{"tiff", "II*\x00"},
	{"tiff", "MM\x00*"},
	{"tiff", "II+\x00"},
	{"tiff", "MM\x00+"},
	{"bmp", "BM????\x00\x00\x00\x00"},
	{"avif", "????ftypavif"},
	{"heic", "????ftyphei"},
	{"heic", "????ftypmif1"},
	{"jxl", "\x00\x00\x00\x0cJXL "},
	{"jxl", "\xff\x0a"},
	{"jp2", "\x00\x00\x00\x0cjP  "},
}

// read are the formats that the service reads.
var read = map[string]bool{
	"jpeg": true, "png": true, "webp": true, "gif": true, "tiff": true, "bmp": true, "avif": true, "heic": true, "jxl": true,
}

// sniff returns the format of a file, empty if it is not an image, and the digest of an image.
func sniff(path string) (format string, sum [32]byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", sum, err
	}
	defer f.Close()
	start := make([]byte, 12)
	if _, err := io.ReadFull(f, start); err != nil {
		return "", sum, err
	}
	for _, s := range signatures {
		if matches(start, s.start) {
			hash := sha256.New()
			hash.Write(start)
			_, err := io.Copy(hash, f)
			return s.format, [32]byte(hash.Sum(nil)), err
		}
	}
	return "", sum, nil
}

func matches(data []byte, pattern string) bool {
	masked := bytes.Clone(data[:len(pattern)])
	for i := range masked {
		if pattern[i] == '?' {
			masked[i] = '?'
		}
	}
	return string(masked) == pattern
}
