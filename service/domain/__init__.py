"""The nouns, tables and sums that store and use cases share. Pure: nothing here does input or output."""
