"""The portal for people: pages in Chinese and English, rendered here, playable without scripts."""
