"""What was trained: tables of runs -> Ladder and Target."""
