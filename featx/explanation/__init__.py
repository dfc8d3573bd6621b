"""Why a model decided so: numbers, no drawing."""
