"""The plugins of a home: what they are before they are installed, where they lie, which are switched on."""
