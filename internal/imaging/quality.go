package imaging

// luminance is the luminance quantization table of libjpeg at quality 50.
var luminance = [64]int{
	16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55,
	14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
	18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
	49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
}

// jpegQualityOf returns the libjpeg quality, 1 to 100, that is closest to the first table
// of a DQT segment. It returns 0 if that is not an 8-bit luminance table.
func jpegQualityOf(segment []byte) int {
	if len(segment) < 65 || segment[0] != 0 {
		return 0
	}
	sum := 0
	for _, v := range segment[1:65] {
		sum += int(v)
	}
	for quality := 100; quality > 1; quality-- {
		if 2*sum <= divisors(quality)+divisors(quality-1) {
			return quality
		}
	}
	return 1
}

// divisors returns the sum of libjpeg's luminance table at a quality.
func divisors(quality int) (sum int) {
	scale := 200 - 2*quality
	if quality < 50 {
		scale = 5000 / quality
	}
	for _, v := range luminance {
		sum += min(max((v*scale+50)/100, 1), 255)
	}
	return sum
}
