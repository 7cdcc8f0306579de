package functions

import (
	"image/color"
	"strconv"
	"strings"
)

// Colour parses a valid colour of the contract, as ffcc00 or #ffcc00. An empty one is transparent.
func Colour(text string) color.RGBA {
	v, err := strconv.ParseUint(strings.TrimPrefix(text, "#"), 16, 24)
	if err != nil {
		return color.RGBA{}
	}
	return color.RGBA{uint8(v >> 16), uint8(v >> 8), uint8(v), 255}
}
