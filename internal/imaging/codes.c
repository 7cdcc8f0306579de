#include "codes.h"

#include <string.h>

// A code has up to MAX_BITS bits. One code of that length stays unused, as JPEG requires that
// no code consists of ones only; it belongs to the symbol UNUSED.
enum { SYMBOLS = 256, UNUSED = SYMBOLS, MAX_BITS = 16 };

// Tree is the tree that determines the lengths of the codes (ITU-R T.81, K.2). next links the
// symbols of a subtree.
typedef struct {
	long frequency[SYMBOLS + 1];
	int bits[SYMBOLS + 1], next[SYMBOLS + 1];
} Tree;

// rarest returns the symbol with the lowest frequency other than 0, and -1 if there is none.
// Of equal ones it returns the largest symbol, so that UNUSED gets a code of full length.
static int rarest(const Tree *t, int except) {
	int found = -1;
	for (int s = 0; s <= SYMBOLS; s++)
		if (s != except && t->frequency[s] > 0 && (found < 0 || t->frequency[s] <= t->frequency[found])) found = s;
	return found;
}

// lengthen adds a bit to all codes of a subtree and returns its last symbol.
static int lengthen(Tree *t, int symbol) {
	t->bits[symbol]++;
	while (t->next[symbol] >= 0) t->bits[symbol = t->next[symbol]]++;
	return symbol;
}

static void build(Tree *t) {
	memset(t->bits, 0, sizeof t->bits);
	memset(t->next, -1, sizeof t->next);
	for (;;) {
		const int a = rarest(t, -1), b = rarest(t, a);
		if (b < 0) return;
		t->frequency[a] += t->frequency[b];
		t->frequency[b] = 0;
		t->next[lengthen(t, a)] = b;
		lengthen(t, b);
	}
}

// shorten limits the lengths to MAX_BITS: counts are the numbers of codes of each length.
static void shorten(int counts[SYMBOLS + 1]) {
	for (int length = SYMBOLS; length > MAX_BITS; length--) {
		while (counts[length] > 0) {
			int shorter = length - 2;
			while (counts[shorter] == 0) shorter--;
			counts[length] -= 2, counts[length - 1]++;
			counts[shorter + 1] += 2, counts[shorter]--;
		}
	}
}

static void set_codes(JHUFF_TBL *table, Tree *t) {
	int counts[SYMBOLS + 1] = {0}, n = 0;
	build(t);
	for (int s = 0; s <= SYMBOLS; s++) counts[t->bits[s]]++;
	counts[0] = 0;
	shorten(counts);
	int longest = MAX_BITS;
	while (counts[longest] == 0) longest--;
	counts[longest]--; // of UNUSED
	for (int length = 0; length <= MAX_BITS; length++) table->bits[length] = counts[length];
	for (int length = 1; length <= SYMBOLS; length++)
		for (int s = 0; s < SYMBOLS; s++)
			if (t->bits[s] == length) table->huffval[n++] = s;
}

// RARE is the frequency of a symbol without a code, and COMMON the frequency of a code without bits.
enum { RARE = 1, COMMON = 1 << (MAX_BITS + 4) };

// extend adds codes to a table, if there is one. It covers the symbols whose high half is at
// most runs and whose low half, the size of a coefficient, is at most max.
static void extend(JHUFF_TBL *table, int runs, int max) {
	if (table == NULL) return;
	Tree t = {.frequency = {[UNUSED] = RARE}};
	for (int run = 0; run <= runs; run++)
		for (int size = 0; size <= max; size++)
			if (size > 0 || run == 0 || run == 15) t.frequency[run << 4 | size] = RARE;
	for (int length = 1, n = 0; length <= MAX_BITS; length++)
		for (int i = 0; i < table->bits[length]; i++) t.frequency[table->huffval[n++]] = COMMON >> length;
	set_codes(table, &t);
}

void imaging_extend_codes(j_compress_ptr encoder) {
	for (int i = 0; i < NUM_HUFF_TBLS; i++) {
		extend(encoder->dc_huff_tbl_ptrs[i], 0, 11);
		extend(encoder->ac_huff_tbl_ptrs[i], 15, 10);
	}
}
