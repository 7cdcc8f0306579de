package gateway

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strconv"
	"sync"
)

var errNotBase64 = invalid(imageField, "not base64")

// base64Text decodes base64 in pieces: both alphabets, padded or not.
type base64Text struct {
	pieces  [][]byte   // the first decoded bytes, in full pieces of at least pieceBytes
	decoded []byte     // the decoded bytes after them
	buffer  [4096]byte // characters that are not decoded yet
	n       int
	padding int
}

// add decodes the next characters. Line ends are skipped.
func (b *base64Text) add(text []byte) error {
	if b.padding == 0 && isPlain(text) {
		return b.addPlain(text)
	}
	return b.addAny(text)
}

// isPlain reports whether base64 text has no line ends, no padding and no
// characters of the URL alphabet.
func isPlain(text []byte) bool {
	for _, c := range []byte("\r\n=-_") {
		if bytes.IndexByte(text, c) >= 0 {
			return false
		}
	}
	return true
}

// addPlain decodes plain text without copying it first. Most images are plain.
func (b *base64Text) addPlain(text []byte) (err error) {
	n := min(-b.n&3, len(text)) // completes the last group of four characters
	b.n += copy(b.buffer[b.n:], text[:n])
	if b.n&3 != 0 {
		return nil
	}
	text = text[n:]
	if err := b.flush(); err != nil {
		return err
	}
	whole := len(text) &^ 3
	if b.decoded, err = base64.RawStdEncoding.AppendDecode(b.grown(whole), text[:whole]); err != nil {
		return errNotBase64
	}
	b.n = copy(b.buffer[:], text[whole:])
	return nil
}

// addAny decodes text character by character.
func (b *base64Text) addAny(text []byte) error {
	for _, c := range text {
		switch c {
		case '\r', '\n':
			continue
		case '=':
			b.padding++
			continue
		case '-':
			c = '+'
		case '_':
			c = '/'
		}
		if b.padding > 0 {
			return errNotBase64
		}
		b.buffer[b.n] = c
		if b.n++; b.n == len(b.buffer) {
			if err := b.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *base64Text) flush() (err error) {
	b.decoded, err = base64.RawStdEncoding.AppendDecode(b.grown(b.n), b.buffer[:b.n])
	b.n = 0
	if err != nil {
		return errNotBase64
	}
	return nil
}

// pieceBytes is the capacity of a piece. A growing slice would be cleared and copied
// at each growth, and touch several times the memory.
const pieceBytes = 1 << 20

var pieces = sync.Pool{New: func() any { return new([pieceBytes]byte) }}

// grown returns decoded with capacity for n more characters. Its capacity doubles up to
// pieceBytes.
func (b *base64Text) grown(n int) []byte {
	switch need := len(b.decoded) + n; {
	case need <= cap(b.decoded):
	case need <= pieceBytes:
		b.decoded = slices.Grow(b.decoded, max(n, min(cap(b.decoded), pieceBytes-len(b.decoded))))
	default:
		b.pieces = append(b.pieces, b.decoded)
		b.decoded = pieces.Get().(*[pieceBytes]byte)[:0]
	}
	return b.decoded
}

// end returns the decoded bytes.
func (b *base64Text) end() ([]byte, error) {
	if b.padding > 0 && (b.n+b.padding)%4 != 0 || b.padding > 2 {
		return nil, errNotBase64
	}
	if err := b.flush(); err != nil || len(b.pieces) == 0 {
		return b.decoded, err
	}
	all := append(b.pieces, b.decoded)
	image := slices.Concat(all...)
	for _, piece := range all[1:] {
		pieces.Put((*[pieceBytes]byte)(piece[:pieceBytes]))
	}
	return image, nil
}

// escaped returns the character of a JSON escape sequence, given without its
// backslash. ok is false if the character cannot occur in base64.
func escaped(sequence []byte) (c byte, ok bool) {
	switch sequence[0] {
	case '/':
		return '/', true
	case 'n', 'r':
		return '\n', true
	case 'u':
		code, err := strconv.ParseUint(string(sequence[1:]), 16, 7)
		return byte(code), err == nil
	}
	return 0, false
}
