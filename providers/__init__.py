"""What is out there: one folder per service, all furnished alike."""
